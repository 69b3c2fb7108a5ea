"""``python -m sitesampler`` is the command line."""

from sitesampler.cli import main

raise SystemExit(main())
