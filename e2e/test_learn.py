"""A member learns a course with a film and texts to its end."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Response, expect

from e2e.people import People
from e2e.school import SmallSchool
from e2e.steps import buy_quietly
from e2e.visitor import Visitor

COURSE = "how-auctions-work"
TITLE = "How Auctions Work"
LESSONS = 7


def test_a_member_learns_a_course_to_the_end(visitor: Visitor, people: People, school: SmallSchool) -> None:
    lea = people.member("Lea Lind")
    buy_quietly(school, lea, COURSE)
    visitor.come_as(lea)
    visitor.sees(re.compile("Two queues"), level=1)
    visitor.click("Begin", within="main")
    visitor.is_at(re.compile(f"/learn/{COURSE}/.+"))
    visitor.sees("Two queues", level=1)
    done_is(visitor, 0)
    visitor.press(f"Done, on to lesson {2}")
    visitor.sees("An auction clears", level=1)
    done_is(visitor, 1)
    expect(visitor.page.locator("video")).to_be_visible()
    if visitor.scripts:
        second = watch_a_while(visitor)
        go_by_key(visitor)
        is_resumed_at(visitor, second)
    for number in range(3, LESSONS + 1):
        visitor.press(re.compile(f"Done, on to lesson {number}$"))
        expect(visitor.page.get_by_text(f"Lesson {number}", exact=False).first).to_be_visible()
        done_is(visitor, number - 1)
    visitor.look()
    visitor.press("Done, that was the last one")
    visitor.is_at(f"/learn/{COURSE}")
    expect(visitor.page.get_by_text(f"You have finished {TITLE}.")).to_be_visible()
    expect(visitor.page.get_by_text(f"{LESSONS} of {LESSONS} lessons done")).to_be_visible()
    expect(visitor.page.get_by_text(re.compile("Finished on"))).to_be_visible()
    visitor.look()

    visitor.click(re.compile("Two queues"))
    visitor.sees("Two queues", level=1)
    visitor.press("Mark as not done")
    done_is(visitor, LESSONS - 1)
    visitor.look()
    visitor.open("/learn")
    visitor.sees(re.compile("Two queues"), level=1)  # the shelf leads back to it


def test_the_player_says_that_access_has_ended(
    visit: Callable[..., Visitor], people: People, school: SmallSchool
) -> None:
    """Neither the film nor the place in it is given any more, while the page is still open."""
    lea = people.member("Lea Lind")
    buy_quietly(school, lea, COURSE)
    learner = visit(width=375)
    learner.come_as(lea)
    page = learner.page
    for refused in ("**/position", "**/media/**"):
        learner.open(f"/learn/{COURSE}/an-auction-clears")
        page.wait_for_function("() => document.querySelector('video').readyState > 0")
        learner.expect_status(403, "/")
        page.route(refused, lambda route: route.fulfill(status=403))
        if "media" in refused:
            page.route("**/an-auction-clears", lambda route: route.fulfill(status=403))
            page.evaluate("() => document.querySelector('video').load()")
        else:
            learner.press("Play", within="resume-player", exact=True)
            page.wait_for_function("() => !document.querySelector('video').paused")
            page.get_by_label("Position in the video").fill("20")
        expect(page.get_by_role("alert")).to_contain_text("This film has closed")
        page.unroute_all()
    learner.problems.clear()


def done_is(visitor: Visitor, count: int) -> None:
    """Wait until the bar above the lesson says how many are done."""
    expect(visitor.page.locator(".lesson-top")).to_contain_text(f"{count} of {LESSONS} done")
    expect(visitor.page.locator(".lesson-top progress")).to_have_js_property("value", count)


def watch_a_while(visitor: Visitor) -> int:
    """Seek, play a little, pause; return the second at which the film stands."""
    page = visitor.page
    visitor.press("Play", within="resume-player", exact=True)
    page.wait_for_function("() => !document.querySelector('video').paused")
    # The film is kept as it jumps, too: that has arrived before it is kept again.
    with page.expect_response(_keeps_position):
        page.get_by_label("Position in the video").fill("20")
    page.wait_for_function("() => document.querySelector('video').currentTime > 21")
    with page.expect_response(_keeps_position):
        page.get_by_role("button", name="Pause").click()
    second = int(page.evaluate("document.querySelector('video').currentTime"))
    assert second >= 21
    visitor.look()
    return second


def _keeps_position(answer: Response) -> bool:
    return answer.url.endswith("/position") and answer.status == 204


def go_by_key(visitor: Visitor) -> None:
    """To the next lesson by k, back over the film to the one before by j, and once more on."""
    visitor.page.keyboard.press("k")
    visitor.sees("Twenty quiet days", level=1)
    visitor.page.keyboard.press("j")
    visitor.sees("An auction clears", level=1)
    visitor.page.keyboard.press("j")
    visitor.sees("Two queues", level=1)
    visitor.page.keyboard.press("k")
    visitor.sees("An auction clears", level=1)


def is_resumed_at(visitor: Visitor, second: int) -> None:
    """The film stands where it was left, to the second, on the shelf too."""
    stopped = f"0:{second:02d}"
    expect(visitor.page.get_by_text(f"You stopped at {stopped}")).to_be_visible()
    visitor.page.wait_for_function("() => document.querySelector('video').readyState > 0")
    visitor.page.wait_for_function(f"() => Math.floor(document.querySelector('video').currentTime) === {second}")
    visitor.open("/learn")
    expect(visitor.page.get_by_text(re.compile(f"You stopped .* at {stopped}"))).to_be_visible()
    visitor.click("Resume")
    visitor.sees("An auction clears", level=1)
