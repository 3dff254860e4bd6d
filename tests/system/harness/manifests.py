"""Pods as Kubernetes objects: the agent's and the jobs', taken from the files in k8s/."""
import copy
import tomllib
import uuid

import yaml

from node.images import BUSYBOX
from paths import DAEMONSET, RUNNER_CONFIG

BARRIER = "leitwacht-attach"
# Lists that a strategic merge patch merges by this key; every other list is replaced.
MERGE_KEY = {"containers": "name", "initContainers": "name", "volumes": "name", "env": "name",
             "volumeMounts": "mountPath"}


def load_daemonset():
    with open(DAEMONSET) as file:
        return next(document for document in yaml.safe_load_all(file) if document["kind"] == "DaemonSet")


def agent_pod():
    """The pod that the DaemonSet's controller would make of its template."""
    daemonset = load_daemonset()
    pod = copy.deepcopy(daemonset["spec"]["template"])
    uid = str(uuid.uuid4())
    pod["metadata"].update(name="leitwacht-" + uid[:5], namespace=daemonset["metadata"]["namespace"], uid=uid)
    # What Kubernetes adds to a pod of this priority class.
    pod["spec"]["priority"] = 2000001000
    return pod


def runner_config():
    with open(RUNNER_CONFIG, "rb") as file:
        return tomllib.load(file)["runners"][0]


def merge(original, patch):
    """A strategic merge patch, as far as pods need it: new list items come first."""
    if not isinstance(original, dict) or not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(original)
    for key, value in patch.items():
        if key in MERGE_KEY and key in original:
            merged[key] = merge_list(original[key], value, MERGE_KEY[key])
        else:
            merged[key] = merge(original.get(key), value)
    return merged


def merge_list(original, patch, key):
    known = {item[key]: item for item in original}
    changed = {item[key]: merge(known[item[key]], item) for item in patch if item[key] in known}
    added = [copy.deepcopy(item) for item in patch if item[key] not in known]
    return added + [changed.get(item[key], item) for item in original]


def shell_container(name, shell):
    """GitLab Runner's containers drop NET_RAW and keep the runtime's other capabilities."""
    return {"name": name, "image": BUSYBOX, "command": ["/bin/sh", "-c", shell],
            "securityContext": {"capabilities": {"drop": ["NET_RAW"]}}}


def runner_pod(build="exec sleep 3600", name=None, barrier=True, namespace=None, own_init=False):
    """A job's pod as GitLab Runner makes it, with our patch from its config applied.

    own_init: the init container that the runner adds from the job's own image;
    barrier=False: a runner whose config lacks the patch.
    """
    config = runner_config()
    kubernetes = config["kubernetes"]
    uid = str(uuid.uuid4())
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False,
            "containers": [shell_container("build", build)]}
    if own_init:
        spec["initContainers"] = [shell_container("init-build-uid-gid-collector", "true")]
    if barrier:
        assert config["feature_flags"]["FF_USE_ADVANCED_POD_SPEC_CONFIGURATION"] is True
        for patch in kubernetes["pod_spec"]:
            assert patch["patch_type"] == "strategic"
            spec = merge(spec, yaml.safe_load(patch["patch"]))
    labels = dict(kubernetes["pod_labels"], **{"project.runner.gitlab.com/id": "4711"})
    return {"metadata": {"name": name or "runner-" + uid[:8], "uid": uid, "labels": labels,
                         "namespace": namespace or kubernetes["namespace"]},
            "spec": spec}


def container_of(pod, name):
    """A container's part of a pod, to be changed in place."""
    for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]:
        if container["name"] == name:
            return container
    raise KeyError(name)


def set_env(pod, container, name, value):
    env = container_of(pod, container).setdefault("env", [])
    env[:] = [entry for entry in env if entry["name"] != name] + [{"name": name, "value": str(value)}]
