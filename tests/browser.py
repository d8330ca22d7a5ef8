"""What the tests need of the system: a Chromium, and bubblewrap; there, or installed for them."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "google-chrome", "google-chrome-stable", "microsoft-edge")
MAC = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def find_browser():
    """Path of a Chromium, or None; not one packed as a snap, which cannot read our files."""
    own = os.environ.get("CHROMIUM")
    candidates = [own] if own else [*map(shutil.which, NAMES), *MAC, playwright_browser()]
    for path in filter(None, candidates):
        if Path(path).is_file() and "/snap/" not in os.path.realpath(path):
            return path
    return None


def playwright_browser():
    """Where Playwright keeps its own Chromium, installed or not."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def commands():
    """The commands that install a Chromium on this system."""
    if is_debian():
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        return [
            [*sudo, "apt-get", "update", "-q"],
            [*sudo, "apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"],
        ]
    # Ubuntu's chromium is a snap; Playwright brings its own browser to every other system.
    deps = ["--with-deps"] if sys.platform == "linux" else []
    return [[sys.executable, "-m", "playwright", "install", *deps, "chromium"]]


def is_debian():
    return platform.system() == "Linux" and platform.freedesktop_os_release().get("ID") == "debian"


def ensure_bubblewrap():
    """Install what the sandbox of the grader needs, if that is ours to do."""
    if shutil.which("bwrap") is None and is_debian() and may_install():
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        for command in (["update", "-q"], ["install", "-q", "-y", "bubblewrap", "libseccomp2"]):
            subprocess.run([*sudo, "apt-get", *command], stdin=subprocess.DEVNULL, check=False)


def may_install():
    """Whether this machine is one to install on: a CI machine, or a container where we are root."""
    if os.environ.get("CI"):
        return True
    marks = ("/.dockerenv", "/run/.containerenv")
    in_container = "container" in os.environ or any(map(os.path.exists, marks))
    return in_container and hasattr(os, "geteuid") and os.geteuid() == 0


def ensure_browser():
    """Path of a Chromium, installed if that is ours to do; else None, after saying what to type."""
    path = find_browser()
    if path:
        return path
    if may_install():
        for command in commands():
            print("  " + " ".join(command), flush=True)
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            if subprocess.run(command, stdin=subprocess.DEVNULL, env=environment).returncode:
                return None
        return find_browser()
    if is_debian():
        command = "sudo apt-get install chromium"
    else:
        command = " ".join(commands()[0])
    print(f"The browser tests need Chromium. To install it, type:\n  {command}", flush=True)
    return None
