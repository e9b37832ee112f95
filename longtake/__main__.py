"""`python -m longtake` is the command `longtake`."""

from longtake.cli import main

if __name__ == "__main__":
    main()
