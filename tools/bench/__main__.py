"""`python -m bench`, with `tools` on the path."""

from bench.cli import main

if __name__ == "__main__":
    main()
