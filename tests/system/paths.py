"""Where things lie: the repository, what was built, and the k8s files."""
import os
import pathlib

SYSTEM = pathlib.Path(__file__).resolve().parent
REPO = SYSTEM.parent.parent
BUILD = pathlib.Path(os.environ.get("LW_BUILD", REPO / "build"))
TESTS_BUILD = BUILD / "tests"
HELPERS = TESTS_BUILD / "helpers"
DAEMONSET = REPO / "k8s" / "daemonset.yaml"
RUNNER_CONFIG = REPO / "k8s" / "gitlab-runner" / "config.toml"
