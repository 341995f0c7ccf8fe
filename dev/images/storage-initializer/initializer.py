"""Downloads each source URI into the folder named after it: SOURCE FOLDER [SOURCE FOLDER]..."""

import logging
import sys

from kserve_storage import Storage  # type: ignore[import-not-found]


def main() -> None:
    arguments = sys.argv[1:]
    if not arguments or len(arguments) % 2:
        raise SystemExit("usage: initializer-entrypoint SOURCE FOLDER [SOURCE FOLDER]...")
    logging.basicConfig(level=logging.INFO)
    for source, folder in zip(arguments[::2], arguments[1::2], strict=True):
        logging.info("downloading %s into %s", source, folder)
        Storage.download_files([source], [folder])


if __name__ == "__main__":
    main()
