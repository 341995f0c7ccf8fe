"""The base image: Debian's C library, Python and certificates; no shell, no package manager."""

import shutil
from pathlib import Path

from dev.images.buildah import Buildah
from dev.images.tools import content_hash, discard_others, run

PACKAGES = (
    *("base-files", "base-passwd", "ca-certificates", "libc-bin", "libgomp1", "libstdc++6"),
    *("python3-minimal", "python3.11", "tzdata"),
)
# Tools of the packages above that only an installation or a developer would call.
UNUSED = (
    *("boot", "home", "media", "mnt", "srv", "var/lib/dpkg", "var/cache", "var/log"),
    *("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/perl5", "usr/share/info"),
    *("usr/share/debconf", "usr/share/lintian", "usr/share/bug", "usr/lib/x86_64-linux-gnu/gconv"),
    *("usr/sbin", "usr/lib/python3.11/lib2to3", "usr/lib/python3.11/pydoc_data"),
    *("usr/bin/openssl", "usr/bin/tar", "usr/bin/localedef"),
)


def ensure(buildah: Buildah, cache: Path) -> str:
    """Reference of the base image in buildah's store; made when it is missing."""
    reference = f"localhost/evenkeel-base:{content_hash([Path(__file__)])}"
    if not buildah.has(reference):
        root = cache / reference.replace("localhost/", "").replace(":", "-")
        print("base: assembling Debian and Python", flush=True)
        _assemble(root)
        buildah.import_root(root, reference)
        discard_others(root, "evenkeel-base-*")
        shutil.rmtree(root)
    return reference


def _assemble(root: Path) -> None:
    if root.exists():
        shutil.rmtree(root)
    run(
        *("mmdebstrap", "--quiet", "--variant=extract"),
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        f"--include={','.join(PACKAGES)}",
        *("bookworm", root),
    )
    for unused in UNUSED:
        path = root / unused
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    # Packages are unpacked, not configured; this is what their scripts would have left behind.
    for database in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{database}.master", root / f"etc/{database}")
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.write_bytes(b"".join(certificate.read_bytes() for certificate in certificates))
    (root / "etc/localtime").unlink(missing_ok=True)
    run(
        *("chroot", root, "/usr/bin/python3.11", "-m", "compileall", "-q"),
        *("--invalidation-mode", "unchecked-hash", "/usr/lib/python3.11"),
    )
