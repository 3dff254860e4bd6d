"""The node's images, made here: no registry and no image builder takes part.

All of them lie in one archive (the layout of `docker save`, one layer each),
which `ctr images import` reads; it is made again when one of its files is newer.
"""
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile

from paths import BUILD, HELPERS, TESTS_BUILD

PAUSE, BUSYBOX = "localhost/pause:test", "localhost/busybox:test"
AGENT, INITC = "localhost/leitwacht-agent:v0.1.0", "localhost/leitwacht-initc:v0.1.0"
AGENT_PROGRAMS = ("leitwacht", "leitwacht-attacher", "leitwacht-gate", "leitwacht-watcher",
                  "leitwacht-dnsproxy", "leitwacht-uninstall")
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}
BUSYBOX_PROGRAM = "/bin/busybox"


class Layer:
    """One tar layer in memory; parent folders are added as needed."""

    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w")
        self.folders = set()

    def _add(self, info, data=None):
        parent = os.path.dirname(info.name)
        if parent and parent not in self.folders:
            self.folder(parent)
        self.tar.addfile(info, data)

    def folder(self, name, mode=0o755):
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, mode
        self.folders.add(name)
        self._add(info)

    def file(self, name, data, mode=0o755):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), mode
        self._add(info, io.BytesIO(data))

    def link(self, name, target):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, target
        self._add(info)

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def pause_image():
    layer = Layer()
    layer.file("pause", read(HELPERS / "pause"))
    return PAUSE, layer, {"Entrypoint": ["/pause"], "User": "65534:65534"}


def busybox_image():
    """A job's image: a shell with its tools, and the probe."""
    layer = Layer()
    for folder in ("proc", "sys", "dev", "root", "etc"):
        layer.folder(folder)
    layer.folder("tmp", 0o1777)
    layer.file("bin/busybox", read(BUSYBOX_PROGRAM))
    applets = subprocess.run([BUSYBOX_PROGRAM, "--list"], check=True, text=True, stdout=subprocess.PIPE)
    for applet in applets.stdout.split():
        if applet != "busybox":
            layer.link("bin/" + applet, "busybox")
    layer.file("bin/probe", read(HELPERS / "probe"))
    layer.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", 0o644)
    layer.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644)
    return BUSYBOX, layer, {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}


def libraries(program):
    """Every shared library of a program and its loader, at the paths where it looks for them."""
    listing = subprocess.run(["ldd", program], check=True, text=True, stdout=subprocess.PIPE).stdout
    return set(re.findall(r"(?:=> |^\s*)(/\S+)", listing, re.MULTILINE))


def agent_image():
    """From nothing: the agent's programs, their libraries, and an empty folder to chroot to."""
    layer, needed = Layer(), set()
    for name in AGENT_PROGRAMS:
        program = BUILD / "agent" / name
        layer.file("leitwacht/" + name, read(program))
        needed |= libraries(program)
    layer.folder("leitwacht/empty", 0o555)
    for path in sorted(needed):
        layer.file(path.lstrip("/"), read(path))
    return AGENT, layer, {"Entrypoint": ["/leitwacht/leitwacht"]}


def initc_image():
    """Exactly one file."""
    layer = Layer()
    layer.file("leitwacht-initc", read(BUILD / "leitwacht-initc"))
    return INITC, layer, {"Entrypoint": ["/leitwacht-initc"], "User": "65534"}


def inputs():
    """The files of each image; an image whose files are not built yet is left out."""
    all_inputs = {
        pause_image: [HELPERS / "pause"],
        busybox_image: [BUSYBOX_PROGRAM, HELPERS / "probe"],
        agent_image: [BUILD / "agent" / name for name in AGENT_PROGRAMS],
        initc_image: [BUILD / "leitwacht-initc"],
    }
    return {make: files for make, files in all_inputs.items() if all(os.path.exists(f) for f in files)}


def add_bytes(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))


def add_image(tar, tag, layer, config):
    """Adds the layer and the image's config; returns its line of the manifest."""
    data = layer.bytes()
    digest = hashlib.sha256(data).hexdigest()
    image = json.dumps({
        "architecture": ARCHITECTURE[os.uname().machine], "os": "linux", "config": config,
        "created": "2020-01-01T00:00:00Z",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
    }).encode()
    config_name = hashlib.sha256(image).hexdigest() + ".json"
    add_bytes(tar, config_name, image)
    add_bytes(tar, digest + ".tar", data)
    return {"Config": config_name, "RepoTags": [tag], "Layers": [digest + ".tar"]}


def write_archive(path, makers):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".%d" % os.getpid())
    with tarfile.open(part, "w") as tar:
        manifest = [add_image(tar, *make()) for make in makers]
        add_bytes(tar, "manifest.json", json.dumps(manifest).encode())
    os.rename(part, path)


def archive():
    """The path of an archive that is up to date, and the tags that are in it."""
    makers = inputs()
    if pause_image not in makers or busybox_image not in makers:
        raise SystemExit("tests/system: run `make system-helpers` and install busybox-static first")
    names = "-".join(make.__name__.split("_")[0] for make in makers)
    path = TESTS_BUILD / "images" / (names + ".tar")
    newest = max(os.path.getmtime(f) for files in makers.values() for f in [*files, __file__])
    if not path.exists() or path.stat().st_mtime < newest:
        write_archive(path, makers)
    return path
