"""What nbval compares."""


def pytest_collectstart(collector):
    """Not HTML: no notebook stores it, see DROPPED in book/notebooks.py."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("text/html",)
