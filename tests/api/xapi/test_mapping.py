"""What comes of a statement: the event, or the reason why there is none."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from api.xapi.errors import ForbiddenStatementError, XapiError
from api.xapi.mapping import DEFAULT_FILE, Mapped, Mapping, Skipped, load
from api.xapi.reading import read_statements
from api.xapi.versions import V1, V2
from engine import rules
from engine.errors import InputError
from tests.api.xapi import samples
from tests.api.xapi.samples import ADL, COURSE, TYPE, Json, changed, simplest

RULES = rules.load()
MAPPING = load(RULES)
GROUP = {"objectType": "Group", "member": [{"mbox": "mailto:a@example.com"}]}


def one(statement: Json, version: str = V1, mapping: Mapping = MAPPING) -> Mapped | Skipped:
    (made,) = read_statements(statement, version, mapping)
    return made


def event(statement: Json, version: str = V1, mapping: Mapping = MAPPING) -> dict[str, Any]:
    made = one(statement, version, mapping)
    assert isinstance(made, Mapped), made
    return made.event


def reason(statement: Json, mapping: Mapping = MAPPING) -> str:
    made = one(statement, V1, mapping)
    assert isinstance(made, Skipped), made
    return made.reason


def own(tmp_path: Path, text: str) -> Mapping:
    file = tmp_path / "my_mapping.toml"
    file.write_text(text)
    return load(RULES, file)


def thing(kind: str | None = None, **over: Any) -> Json:
    return {"id": "http://example.com/a", **({"definition": {"type": kind}} if kind else {}), **over}


def test_a_passed_unit_of_cmi5_is_a_quiz_with_its_score() -> None:
    assert event(samples.CMI5_PASSED) == {
        "userId": "u-17",
        "action": "quiz_complete",
        "eventId": samples.CMI5_PASSED["id"],
        "occurredAt": "2026-03-02T18:05:00.123Z",
        "value": 0.85,
        "courseId": COURSE,
    }


def test_a_completed_video_is_minutes_watched() -> None:
    made = event(samples.VIDEO_COMPLETED)
    assert made.pop("value") == pytest.approx(124.3 / 60)
    assert made.pop("userId") == "mbox_sha1sum:" + hashlib.sha1(b"mailto:user@example.org").hexdigest()  # noqa: S324  # the hash that xAPI names
    assert made == {
        "action": "video_watch",
        "eventId": samples.VIDEO_COMPLETED["id"],
        "occurredAt": "2026-03-02T17:05:00.000Z",
    }


def test_what_moodle_hands_in_is_an_assignment_of_its_course() -> None:
    made = event(samples.MOODLE_SUBMITTED)
    assert (made["userId"], made["action"], made["courseId"]) == ("123", "assignment_submit", COURSE)


def test_a_storyline_slide_is_read_in_the_course_that_is_its_parent() -> None:
    made = event(samples.STORYLINE_SLIDE)
    assert made["userId"] == "mbox_sha1sum:ebd31e95054c018b10727ccffd2ef2ec3a016ee9"
    assert (made["action"], made["courseId"]) == ("reading", "urn:articulate:storyline:6cuTEluHuA5")


def test_one_answered_question_is_presence_and_no_quiz() -> None:
    made = event(samples.H5P_ANSWERED)
    assert made["action"] == "page_view"
    assert "value" not in made


def test_a_score_may_be_raw_between_min_and_max() -> None:
    made = event(samples.V2_ASSESSED, V2)
    assert (made["userId"], made["action"], made["value"]) == ("http://toby.openid.example.org/", "quiz_complete", 0.5)


@pytest.mark.parametrize(
    ("score", "value"),
    [({"scaled": -0.5}, 0.0), ({"scaled": 1}, 1.0), ({"raw": 3, "max": 4}, 0.75), ({"raw": -3, "max": 4}, 0.0),
     ({"raw": 3}, None), ({"raw": -3, "max": -2}, None), ({}, None), ({"min": 0, "max": 4}, None)],
)  # fmt: skip
def test_scores_become_shares_where_they_can(score: Json, value: float | None) -> None:
    made = event(simplest(object=thing(f"{TYPE}assessment"), result={"score": score}))
    assert made.get("value") == value


@pytest.mark.parametrize(
    ("duration", "value"),
    [("PT90S", 1.5), ("P1DT1H", 1500.0), ("P1W", 10_080.0), ("PT0.5H", 30.0), ("PT1,5M", 1.5), ("P1M", None),
     ("P2Y", None), (f"PT{'9' * 400}H", None)],
)  # fmt: skip
def test_durations_become_minutes_where_they_can(duration: str, value: float | None) -> None:
    made = event(simplest(verb={"id": f"{ADL}attended"}, result={"duration": duration}))
    assert (made["action"], made.get("value")) == ("live_session", value)


@pytest.mark.parametrize(
    ("verb", "kind", "action"),
    [
        (f"{ADL}completed", None, "lesson_complete"),
        (f"{ADL}completed", f"{TYPE}course", "course_complete"),
        (f"{ADL}completed", "http://example.com/own-type", "lesson_complete"),
        (f"{ADL}completed", "http://id.tincanapi.com/activitytype/lms/module", "lesson_complete"),
        (f"{ADL}initialized", None, "lesson_start"),
        (f"{ADL}attempted", f"{TYPE}assessment", "quiz_start"),
        (f"{ADL}failed", f"{TYPE}objective", "quiz_complete"),
        (
            "https://w3id.org/xapi/adl/verbs/satisfied",
            "https://w3id.org/xapi/cmi5/activitytype/course",
            "course_complete",
        ),
        ("https://w3id.org/xapi/adl/verbs/logged-in", None, "daily_login"),
        (
            "https://brindlewaye.com/xAPITerms/verbs/loggedin/",
            "http://id.tincanapi.com/activitytype/lms",
            "daily_login",
        ),
        (f"{ADL}registered", "http://id.tincanapi.com/activitytype/lms/course", "course_enrol"),
        ("https://w3id.org/xapi/acrossx/verbs/posted", "http://id.tincanapi.com/activitytype/discussion", "forum_post"),
        ("http://id.tincanapi.com/verb/viewed", "http://id.tincanapi.com/activitytype/lms/course", "page_view"),
        ("http://id.tincanapi.com/verb/earned", "http://id.tincanapi.com/activitytype/certificate", "certificate"),
    ],
)
def test_verbs_on_types_are_worth_actions(verb: str, kind: str | None, action: str) -> None:
    assert event(simplest(verb={"id": verb}, object=thing(kind)))["action"] == action


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({"verb": {"id": "http://example.com/danced"}}, "no action for the verb http://example.com/danced"),
        ({"verb": {"id": f"{ADL}COMPLETED"}}, "no action for the verb"),
        ({"verb": {"id": f"{ADL}progressed"}}, "progressed: how far"),
        ({"verb": {"id": f"{ADL}mastered"}}, "no action for mastered on no type"),
        ({"verb": {"id": f"{ADL}failed"}, "object": thing(f"{TYPE}course")}, "no action for failed on course"),
        ({"object": {"objectType": "Agent", "mbox": "mailto:b@example.com"}}, "the object is no Activity but a Agent"),
        ({"object": samples.VOIDING["object"]}, "the object is no Activity but a StatementRef"),
        ({"object": samples.PLANNED["object"]}, "the object is no Activity but a SubStatement"),
        ({"result": {"completion": False}}, "completed, but result.completion is false"),
        ({"verb": {"id": f"{ADL}passed"}, "result": {"success": False}}, "passed, but result.success is false"),
    ],
)
def test_what_makes_no_event_is_skipped_with_its_reason(over: Json, why: str) -> None:
    assert reason(simplest(**over)).startswith(why)


def test_groups_and_voiding_statements_are_refused_clearly() -> None:
    with pytest.raises(XapiError, match="Agent: one learner") as refused:
        one(simplest(actor=GROUP))
    assert refused.value.status == 400
    with pytest.raises(ForbiddenStatementError, match="What has counted stays counted") as forbidden:
        one(samples.VOIDING)
    assert forbidden.value.status == 403


def test_groups_and_voiding_statements_are_skipped_where_the_data_says_so(tmp_path: Path) -> None:
    lenient = own(tmp_path, '[unwanted]\ngroups = "skip"\nvoiding = "skip"\n')
    assert "Group" in reason(simplest(actor=GROUP), lenient)
    assert "voided" in reason(samples.VOIDING, lenient)


@pytest.mark.parametrize(
    ("actor", "user"),
    [
        ({"account": {"homePage": "https://a.example.org", "name": "{ana}"}}, "{ana}"),
        ({"account": {"homePage": "https://a.example.org", "name": "Ána 李"}}, "Ána 李"),
        ({"mbox": "mailto:Ana@EXAMPLE.org"}, "mbox_sha1sum:" + hashlib.sha1(b"mailto:Ana@example.org").hexdigest()),  # noqa: S324  # the hash that xAPI names
        (
            {"mbox_sha1sum": "EBD31E95054C018B10727CCFFD2EF2EC3A016EE9"},
            "mbox_sha1sum:ebd31e95054c018b10727ccffd2ef2ec3a016ee9",
        ),
        ({"openid": "https://ana.example.org/"}, "https://ana.example.org/"),
    ],
)
def test_the_learner_is_the_one_identifier_of_the_actor(actor: Json, user: str) -> None:
    assert event(simplest(actor=actor))["userId"] == user


def test_who_a_learner_is_can_be_told_otherwise(tmp_path: Path) -> None:
    mapping = own(tmp_path, '[learner]\naccount = "{homePage}|{name}"\nmbox = "{address}"\n')
    assert event(simplest(), mapping=mapping)["userId"] == "https://lms.example.org|ana"
    assert event(simplest(actor={"mbox": "mailto:a@B.example"}), mapping=mapping)["userId"] == "a@b.example"
    mapping = own(tmp_path, '[learner]\nhome_pages = ["https://other.example.org"]\n')
    assert reason(simplest(), mapping) == "accounts of https://lms.example.org are no learners here"


def test_the_course_is_the_one_that_says_so_else_the_grouping_else_the_parent() -> None:
    untyped = {"parent": [thing(id="urn:x:test")], "grouping": [thing(id="urn:x:algebra")]}
    typed = {**untyped, "parent": [thing(id="urn:x:test"), thing(f"{TYPE}course", id="urn:x:course")]}

    def course(around: Json, **over: Any) -> object:
        return event(simplest(context={"contextActivities": around}, **over)).get("courseId")

    assert course(untyped) == "urn:x:algebra"
    assert course({"parent": untyped["parent"]}) == "urn:x:test"
    assert course(typed) == "urn:x:course"
    assert course(typed, object=thing(f"{TYPE}course", id="urn:x:itself")) == "urn:x:itself"
    assert course({"category": [thing(id="urn:x:profile")]}) is None


def test_an_event_without_timestamp_leaves_its_instant_to_the_intake() -> None:
    assert "occurredAt" not in event(simplest(timestamp=None))


def test_every_verb_and_type_of_the_data_leads_somewhere() -> None:
    for word, iris in MAPPING.verbs.items():
        for iri in iris:
            for kind in (None, *(iris[0] for iris in MAPPING.types.values())):
                made = one(simplest(verb={"id": iri}, object=thing(kind)))
                if isinstance(made, Mapped):
                    assert not RULES.actions[made.event["action"]].derived
                    assert word not in MAPPING.ignored
                else:
                    assert not made.reason.startswith("no action for the verb")


def test_the_data_says_where_its_iris_come_from() -> None:
    text = DEFAULT_FILE.read_text("utf-8")
    for source in ("[ADL]", "[cmi5]", "[video]", "[acrossx]", "[moodle]", "[articulate]", "[h5p]"):
        assert text.count(source) + text.count(source[:-1]) >= 2


def test_an_entry_of_ones_own_adds_to_ours(tmp_path: Path) -> None:
    mapping = own(
        tmp_path, '[verbs]\ndanced = ["http://example.com/danced"]\n[actions.danced]\nother = "live_session"\n'
    )
    assert event(simplest(verb={"id": "http://example.com/danced"}), mapping=mapping)["action"] == "live_session"
    assert event(samples.CMI5_PASSED, mapping=mapping)["action"] == "quiz_complete"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[actions.completed]\nother = "leson_complete"', "Did you mean 'lesson_complete'"),
        ('[actions.completed]\nother = "perfect_quiz"', "may be sent"),
        ('[actions.completed]\ncours = "course_complete"', "Did you mean 'course'"),
        ('[verbs]\ndanced = ["http://example.com/danced"]', r"verbs\.danced"),
        (f'[verbs]\ndanced = ["{ADL}completed"]\n[ignored]\ndanced = "no"', "twice"),
        ('[values]\nquiz_complete = "stars"', r"values\.quiz_complete"),
        ('[learner]\naccount = "{name.__class__}"', r"learner\.account"),
        ('[learner]\naccount = "everyone"', r"learner\.account"),
        ('[learner]\nmbox = 17', r"learner\.mbox"),
        ('[unwanted]\ngroups = "perhaps"', r"unwanted\.groups"),
        ("[colours]\nred = 1", "colours"),
        ("[verbs", "readable TOML"),
    ],
)  # fmt: skip
def test_a_wrong_entry_of_ones_own_is_refused_by_its_name(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        own(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml"):
        load(RULES, tmp_path / "none.toml")


def test_every_statement_of_the_field_maps_or_says_why() -> None:
    for statement in samples.REAL.values():
        made = one(statement)
        assert made.reason if isinstance(made, Skipped) else made.event["action"] in RULES.actions
    assert tomllib.loads(DEFAULT_FILE.read_text("utf-8"))
    assert reason(changed(samples.LONG, "verb.id", "urn:x:unknown")) == "no action for the verb urn:x:unknown"
