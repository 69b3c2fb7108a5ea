"""The bar in the driver, and what is said beside it."""

import pytest

from sitesampler.compute.progress import Progress


def test_the_bar_counts_steps_tasks_and_says_what_the_iteration_has_found(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("random_rnn", tasks=2, steps=10, show=True, of="chunks")
    progress.begin(tasks=4, steps=5, note="iteration 3, residual 1.4")
    for _ in range(3):
        progress.advance(5)
        progress.task_done()
    progress.note("iteration 3, residual 1.2")
    progress.say("lost the scheduler")
    progress.close()
    shown = capsys.readouterr().err
    assert "15/20" in shown
    assert "chunks 0/4, iteration 3, residual 1.4" in shown
    assert "chunks 3/4, iteration 3, residual 1.2" in shown
    assert "sitesampler: lost the scheduler\n" in shown
    assert "0/20 [00:00<?" in shown  # time spent and time left


def test_what_a_user_must_know_is_written_without_a_bar_too(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("random_rnn", tasks=1, steps=1, show=False)
    progress.note("not shown")
    progress.say("no workers yet")
    assert capsys.readouterr().err == "sitesampler: no workers yet\n"
