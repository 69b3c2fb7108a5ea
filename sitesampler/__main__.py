"""``python -m sitesampler`` is the command line of ``cli.py``."""

from sitesampler.cli import main

raise SystemExit(main())
