"""What nbval compares."""

# A glued number is a measured figure: after a training it differs from one processor to another.
# What a claim prints is the same everywhere, and is compared.
MEASURED = "application/papermill.record/text/plain"


def pytest_collectstart(collector):
    """Not HTML, which no notebook stores (DROPPED in book/notebooks.py); not measured figures."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("text/html", MEASURED)
