"""``python -m crystalgym`` is the command ``crystalgym``."""

from crystalgym._command_line import main

if __name__ == "__main__":
    main()
