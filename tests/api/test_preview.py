"""A preview shows what is sent in fact where nobody comes, and leaves everything as it was."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from api import preview as module
from api.preview import Preview, preview
from engine.calendar import local, np, zone
from engine.experiments.campaigns import standard
from engine.risk import model as risk_model
from tests.actors.test_sending import blast, campaign
from tests.api.engage import engage_here
from tests.api.live import RULES, Live, living

LEARNERS = {"ann": "Europe/Berlin", "bob": "Asia/Kolkata", "cem": None, "dan": "America/New_York"}
CAMPAIGNS = (campaign("news", "random", 20), blast("streaks", "streak_warning", 30), blast("peers", "peer_comparison"))
NOONS = [f"2026-03-{day:02}T12:00" for day in range(2, 9)]
DAYS = 4


def live_on(live: Live) -> None:
    """Let learners of several zones spend a week, each with hours that are quiet."""
    for learner, name in LEARNERS.items():
        live.profile(learner, timezone=name, quietHours={"from": "22:00", "to": "08:00"})
    for noon in NOONS:
        live.until(noon)
        for learner in LEARNERS:
            live.track(learner)
    live.service.settle()


def seen(live: Live, work: Path, days: int = DAYS, campaigns: Any = CAMPAIGNS) -> Preview:
    work.mkdir()
    return preview(live.place, work, RULES, risk_model.load(), campaigns, live.clock(), days, lambda _done, _all: None)


def really(live: Live, days: int) -> Preview:
    """Let the days come in fact, and count."""
    before = {log: live.service.newest()[log] for log in range(live.place.actors)}
    for _ in range(days * 144 + 1):
        live.service.settle()
        live.clock.advance(minutes=10)
    found = Preview()
    for log, newest in before.items():
        for entry in live.journal(log).read(newest):
            found.take_in(entry)
    return found


@pytest.mark.parametrize("actors", [1, 2])
def test_what_it_shows_is_what_is_sent_if_nobody_comes(tmp_path: Path, actors: int) -> None:
    with living(tmp_path / "data", NOONS[0], actors=actors, campaigns=CAMPAIGNS) as live:
        live_on(live)
        before = [[entry.sequence for entry in live.journal(log).read(0)] for log in range(actors)]
        shown = seen(live, tmp_path / "work")
        assert [[entry.sequence for entry in live.journal(log).read(0)] for log in range(actors)] == before
        live.track("ann")  # the service still holds its journals
    with living(tmp_path / "other", NOONS[0], actors=actors, campaigns=CAMPAIGNS) as live:
        live_on(live)
        fact = really(live, DAYS)
    assert shown == fact
    assert len(shown.sends) > 4 and {hour for _, hour, _ in shown.sends} <= set(range(8, 22))
    assert len({kind for _, _, kind in shown.sends}) > 1
    assert ("peers", "daily cap") in shown.dropped or ("peers", "weekly cap") in shown.dropped


def test_its_hours_are_the_learners_own(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0], campaigns=CAMPAIGNS) as live:
        live_on(live)
        shown = seen(live, tmp_path / "work")
        newest = live.service.newest()[0]
        really(live, DAYS)
        by_zone: Counter[tuple[int, int, str]] = Counter()
        for entry in live.journal().read(newest):
            for send in entry.answer.body.get("sends", []):
                instant = np.array([entry.message.body["now_ms"]])
                day, minute = local(instant, zone(LEARNERS[send["learner"]] or "UTC"))
                by_zone[int(day[0]), int(minute[0]) // 60, send["type"]] += 1
    assert shown.sends == by_zone


def test_other_campaigns_can_be_tried(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0], campaigns=CAMPAIGNS) as live:
        live_on(live)
        nothing = seen(live, tmp_path / "nothing", campaigns=())
        assert not nothing.sends, "what was decided already is not sent any more either"
        streaks = seen(live, tmp_path / "streaks", campaigns=standard("none"))
    assert {kind for _, _, kind in streaks.sends} <= {"streak_warning", "achievement_unlocked", "milestone_celebration"}
    assert streaks.sends


def test_a_service_that_goes_on_meanwhile_is_not_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with living(tmp_path / "data", NOONS[0], campaigns=CAMPAIGNS) as live:
        live_on(live)
        quiet = seen(live, tmp_path / "quiet", days=1)
        append = module.Overlay.append

        def busy(overlay: module.Overlay, entry: Any) -> None:
            append(overlay, entry)
            live.track("ann")

        monkeypatch.setattr(module.Overlay, "append", busy)
        assert seen(live, tmp_path / "busy", days=1) == quiet


def test_the_command_shows_it(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0], campaigns=CAMPAIGNS) as live:
        live_on(live)
    (tmp_path / "none.toml").write_text('campaigns = [{ id = "silence", policy = "none" }]')
    silence = ("--campaigns", tmp_path / "none.toml")
    told = engage_here("preview", "--data", tmp_path / "data", *silence, "--out", tmp_path / "out")
    assert told.code == 0 and "Nothing would be sent." in told.out
    assert '"sends": []' in (tmp_path / "out" / "result.json").read_text("utf-8")
    everybody = 'campaigns = [{ id = "all", policy = "blast", params = { kinds = ["personalised_content"] } }]'
    (tmp_path / "all.toml").write_text(everybody)
    told = engage_here("preview", "--data", tmp_path / "data", "--campaigns", tmp_path / "all.toml", "--days", "1")
    assert "personalised_content" in told.out and "│ all │ │ 4 │" in told.out
    wrong = engage_here("preview", "--data", tmp_path / "none")
    assert wrong.code == 2 and "the directory of a service" in wrong.err


def test_snapshots_only_save_the_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with living(tmp_path / "data", NOONS[0], campaigns=CAMPAIGNS) as live:
        live_on(live)
    with living(tmp_path / "data", NOONS[-1], campaigns=CAMPAIGNS) as live:  # ended above, with a snapshot
        shown = seen(live, tmp_path / "with")
        assert list((tmp_path / "with").glob("*/*.npz"))
        monkeypatch.setattr(module, "_copy", lambda _snapshots, _work: None)
        assert seen(live, tmp_path / "without") == shown
