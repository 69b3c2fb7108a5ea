"""Tests of the reference solutions; a package, so that file names may recur elsewhere among the tests."""
