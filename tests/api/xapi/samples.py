"""Statements as the tools of the field send them, written after their specifications and documents."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]

ADL = "http://adlnet.gov/expapi/verbs/"
TYPE = "http://adlnet.gov/expapi/activities/"
COURSE = "https://lms.example.org/course/view.php?id=7"


def simplest(**over: Any) -> Json:
    """Return the smallest statement that the specification knows, with an id and a timestamp; None leaves a key out."""
    made = {
        "id": "12345678-1234-5678-1234-567812345678",
        "actor": {"account": {"homePage": "https://lms.example.org", "name": "ana"}},
        "verb": {"id": f"{ADL}completed"},
        "object": {"id": "https://lms.example.org/unit/1"},
        "timestamp": "2026-03-02T18:05:00Z",
        **over,
    }
    return {key: value for key, value in made.items() if value is not None}


def changed(statement: Json, path: str, value: Any) -> Json:
    """Return a copy with one property set, by its path; KeyError where the path does not exist."""
    made = copy.deepcopy(statement)
    *parents, last = path.split(".")
    target = made
    for name in parents:
        target = target[name]
    target[last] = value
    return made


# Every property at once, after the long example of xAPI 1.0.3 part two, appendix A (there the actor is a Group).
LONG: Json = {
    "id": "6690e6c9-3ef0-4ed3-8b37-7f3964730bee",
    "actor": {
        "objectType": "Agent",
        "name": "Ana Ortega",
        "account": {"homePage": "http://www.example.com", "name": "13936749"},
    },
    "verb": {"id": f"{ADL}attended", "display": {"en-GB": "attended", "de": "nahm teil an"}},
    "result": {
        "extensions": {"http://example.com/minutes": "X:\\meetings\\minutes", "http://example.com/none": None},
        "success": True,
        "completion": True,
        "response": "We agreed on some example actions.",
        "duration": "PT1H0M0S",
        "score": {"scaled": 1, "raw": 10.0, "min": 0, "max": 10},
    },
    "context": {
        "registration": "ec531277-b57b-4c15-8d91-d292c5b2b8f7",
        "contextActivities": {
            "parent": [{"id": "http://www.example.com/meetings/series/267", "objectType": "Activity"}],
            "category": [{"id": "http://www.example.com/meetings/categories/teammeeting"}],
            "other": {"id": "http://www.example.com/meetings/occurances/34257"},
        },
        "instructor": {"name": "Ben", "mbox": "mailto:ben@example.com", "objectType": "Agent"},
        "team": {"name": "Team PB", "mbox": "mailto:teampb@example.com", "objectType": "Group"},
        "platform": "Example virtual meeting software",
        "revision": "3",
        "language": "tlh",
        "statement": {"objectType": "StatementRef", "id": "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"},
        "extensions": {"http://example.com/room": {"name": "Kilby", "id": 342}},
    },
    "timestamp": "2013-05-18T05:32:34.804+00:00",
    "stored": "2013-05-18T05:32:34.804+00:00",
    "authority": {"account": {"homePage": "http://cloud.example.com/", "name": "anonymous"}, "objectType": "Agent"},
    "version": "1.0.0",
    "object": {
        "id": "http://www.example.com/meetings/occurances/34534",
        "definition": {
            "extensions": {"http://example.com/room": {"name": "Kilby"}},
            "name": {"en-GB": "example meeting"},
            "description": {"en-US": "A meeting that happened on a specific occasion."},
            "type": f"{TYPE}meeting",
            "moreInfo": "http://virtualmeeting.example.com/345256",
        },
        "objectType": "Activity",
    },
    "attachments": [
        {
            "usageType": "http://example.com/attachment-usage/certificate",
            "display": {"en-US": "Certificate"},
            "contentType": "application/pdf",
            "length": 2048,
            "sha2": "495395e777cd98da653df9615d09c0fd6bb2f8d4788394cd53c56a3bfdcd848a",
            "fileUrl": "https://example.com/certificates/1.pdf",
        }
    ],
}

# cmi5 (Quartz) 9.3: what an assignable unit sends when its judged part was passed.
CMI5_PASSED: Json = {
    "id": "0f4bb1b2-6a53-4e60-9a0d-5e9d8b2f1f51",
    "actor": {"objectType": "Agent", "account": {"homePage": "https://lms.example.org", "name": "u-17"}},
    "verb": {"id": f"{ADL}passed", "display": {"en": "passed"}},
    "object": {"objectType": "Activity", "id": "https://lms.example.org/session/au-1"},
    "result": {"score": {"scaled": 0.85}, "success": True, "duration": "PT12M30S"},
    "context": {
        "registration": "ec531277-b57b-4c15-8d91-d292c5b2b8f7",
        "contextActivities": {
            "category": [
                {"id": "https://w3id.org/xapi/cmi5/context/categories/cmi5"},
                {"id": "https://w3id.org/xapi/cmi5/context/categories/moveon"},
            ],
            "grouping": [
                {"id": "https://publisher.example.com/au-1"},
                {"id": COURSE, "definition": {"type": "https://w3id.org/xapi/cmi5/activitytype/course"}},
            ],
        },
        "extensions": {
            "https://w3id.org/xapi/cmi5/context/extensions/sessionid": "s-1",
            "https://w3id.org/xapi/cmi5/context/extensions/masteryscore": 0.8,
        },
    },
    "timestamp": "2026-03-02T18:05:00.123Z",
}

# Video profile 1.0, 2.3: the end of a video.
VIDEO_COMPLETED: Json = {
    "id": "9d1c1a5e-52a4-4d3f-8f32-0f2e3f6f7a10",
    "actor": {"mbox": "mailto:user@example.org", "name": "Example User"},
    "verb": {"id": f"{ADL}completed", "display": {"en-US": "completed"}},
    "object": {
        "objectType": "Activity",
        "id": "http://www.example.org/video/1",
        "definition": {"type": "https://w3id.org/xapi/video/activity-type/video", "name": {"en-US": "Example Video"}},
    },
    "result": {
        "completion": True,
        "duration": "PT2M4.3S",
        "extensions": {
            "https://w3id.org/xapi/video/extensions/time": 124.3,
            "https://w3id.org/xapi/video/extensions/progress": 1,
            "https://w3id.org/xapi/video/extensions/played-segments": "0[.]62[,]60[.]124.3",
        },
    },
    "context": {
        "contextActivities": {"category": [{"id": "https://w3id.org/xapi/video"}]},
        "language": "en",
        "extensions": {"https://w3id.org/xapi/video/extensions/length": 124.3},
    },
    "timestamp": "2026-03-02T18:05:00+01:00",
}

# Moodle, plug-in logstore_xapi: an assignment handed in.
MOODLE_SUBMITTED: Json = {
    "actor": {"name": "Test User", "account": {"homePage": "https://lms.example.org", "name": "123"}},
    "verb": {"id": "http://activitystrea.ms/schema/1.0/submit", "display": {"en": "submitted"}},
    "object": {
        "id": "https://lms.example.org/mod/assign/view.php?id=3",
        "definition": {
            "type": "https://xapi.edlm/profiles/edlm-lms/concepts/activity-types/assignment",
            "name": {"en": "Essay"},
        },
    },
    "timestamp": "2026-03-02T19:05:00+02:00",
    "context": {
        "platform": "Moodle",
        "language": "en",
        "extensions": {"http://lrs.learninglocker.net/define/extensions/info": {"event_name": "assessable_submitted"}},
        "contextActivities": {
            "grouping": [
                {
                    "id": "https://lms.example.org",
                    "definition": {"type": "http://id.tincanapi.com/activitytype/lms", "name": {"en": "Moodle"}},
                },
                {
                    "id": COURSE,
                    "definition": {"type": "http://id.tincanapi.com/activitytype/lms/course", "name": {"en": "C"}},
                },
            ],
            "category": [{"id": "http://moodle.org", "definition": {"type": "http://id.tincanapi.com/activitytype/source"}}],
        },
    },
}  # fmt: skip

# Articulate Storyline: a slide seen. A slide is a module there, and its course is its parent, without a definition.
STORYLINE_SLIDE: Json = {
    "id": "aa0f43a1-7a3c-4b0a-b0d2-2f0d7a2f3d11",
    "actor": {"objectType": "Agent", "name": "Ana", "mbox_sha1sum": "ebd31e95054c018b10727ccffd2ef2ec3a016ee9"},
    "verb": {"id": f"{ADL}experienced", "display": {"und": "experienced"}},
    "object": {
        "objectType": "Activity",
        "id": "urn:articulate:storyline:6cuTEluHuA5/5abc",
        "definition": {"name": {"und": "Slide 1"}, "description": {"und": "Slide 1"}, "type": f"{TYPE}module"},
    },
    "context": {
        "contextActivities": {"parent": [{"id": "urn:articulate:storyline:6cuTEluHuA5", "objectType": "Activity"}]}
    },
    "timestamp": "2026-03-02T18:06:00.000Z",
}

# H5P: a multiple-choice question answered.
H5P_ANSWERED: Json = {
    "id": "5c2f1e0a-8a51-4b3a-8c5a-77a3a5f6f0aa",
    "actor": {"name": "falcon", "mbox": "mailto:falcon@example.org", "objectType": "Agent"},
    "verb": {"id": f"{ADL}answered", "display": {"en-US": "answered"}},
    "object": {
        "id": "https://lms.example.org/h5p/9?subContentId=1",
        "objectType": "Activity",
        "definition": {
            "extensions": {"http://h5p.org/x-api/h5p-local-content-id": 9},
            "name": {"en-US": "Which countries are Scandinavian?"},
            "type": f"{TYPE}cmi.interaction",
            "interactionType": "choice",
            "correctResponsesPattern": ["0[,]1"],
            "choices": [
                {"id": "0", "description": {"en-US": "Norway"}},
                {"id": "1", "description": {"en-US": "Sweden"}},
                {"id": "2", "description": {"en-US": "Spain"}},
            ],
        },
    },
    "result": {"score": {"min": 0, "max": 2, "raw": 2, "scaled": 1}, "completion": True, "duration": "PT8.7S",
               "response": "0[,]1"},
    "context": {"contextActivities": {"category": [{"id": "http://h5p.org/libraries/H5P.MultiChoice-1.16"}]}},
    "timestamp": "2026-03-02T18:07:00Z",
}  # fmt: skip

# xAPI 2.0 (IEEE 9274.1.1, 4.2.2.5): context agents and groups.
V2_ASSESSED: Json = {
    "id": "b3a7bb2e-2b3e-4b5d-9b2e-0a4a3c1d2e3f",
    "actor": {"openid": "http://toby.openid.example.org/"},
    "verb": {"id": f"{ADL}completed"},
    "object": {"id": "https://lms.example.org/quiz/4", "definition": {"type": f"{TYPE}assessment"}},
    "result": {"score": {"raw": 15, "min": 10, "max": 20}, "success": False},
    "context": {
        "contextAgents": [
            {
                "objectType": "contextAgent",
                "agent": {"mbox": "mailto:teacher@example.com"},
                "relevantTypes": ["https://example.com/xapi/roles/instructor"],
            }
        ],
        "contextGroups": [
            {"objectType": "contextGroup", "group": {"objectType": "Group", "mbox": "mailto:t@example.com"}}
        ],
    },
    "timestamp": "2026-03-02T18:08:00.5Z",
    "version": "2.0.0",
}  # fmt: skip

# xAPI 1.0.3 part two, 2.3.2.
VOIDING: Json = {
    "actor": {"objectType": "Agent", "name": "Example Admin", "mbox": "mailto:admin@example.adlnet.gov"},
    "verb": {"id": f"{ADL}voided", "display": {"en-US": "voided"}},
    "object": {"objectType": "StatementRef", "id": "e05aa883-acaf-40ad-bf54-02c8ce485fb0"},
}

# xAPI 1.0.3 part two, 2.4.4.3: a plan, told by a statement within the statement.
PLANNED: Json = {
    "actor": {"objectType": "Agent", "mbox": "mailto:test@example.com"},
    "verb": {"id": "http://example.com/planned", "display": {"en-US": "planned"}},
    "object": {
        "objectType": "SubStatement",
        "actor": {"objectType": "Agent", "mbox": "mailto:test@example.com"},
        "verb": {"id": "http://example.com/visited", "display": {"en-US": "will visit"}},
        "object": {"objectType": "Activity", "id": "http://example.com/website"},
        "timestamp": "2999-01-01T00:00:00Z",
    },
}

REAL: dict[str, Json] = {
    "long": LONG,
    "cmi5 passed": CMI5_PASSED,
    "video completed": VIDEO_COMPLETED,
    "moodle submitted": MOODLE_SUBMITTED,
    "storyline slide": STORYLINE_SLIDE,
    "h5p answered": H5P_ANSWERED,
    "planned": PLANNED,
}
