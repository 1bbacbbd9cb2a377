"""What of a notification needs no repetition."""

from dozor.notify.progress import Progress


def test_a_part_that_arrived_is_remembered_until_all_of_it_did() -> None:
    progress = Progress()
    progress.add("msg-1", "a")
    assert progress.done("msg-1", "a")
    assert not progress.done("msg-1", "b")
    assert not progress.done("msg-2", "a")
    progress.forget("msg-1")
    assert not progress.done("msg-1", "a")
    progress.forget("msg-1")


def test_only_the_last_hundred_are_remembered() -> None:
    progress = Progress()
    for number in range(101):
        progress.add(f"msg-{number}", "a")
    assert not progress.done("msg-0", "a")
    assert all(progress.done(f"msg-{number}", "a") for number in range(1, 101))
