"""``engage serve``: the live service."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import console, errors
from api.cli.options import DATA, CampaignFile, Data, DatabaseUrl, RetentionPolicy, campaigns_of
from api.delivery_settings import read_delivery
from api.serving import Trouble, open_app
from api.serving import serve as serve_app
from api.settings import Settings
from api.wiring import RuntimeName
from engine import calendar
from engine import rules as engine_rules
from engine.risk import model as risk_model


def serve(
    data: Data = DATA,
    database_url: DatabaseUrl = None,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless you say otherwise")] = Settings.host,
    port: Annotated[int, typer.Option(help="TCP port; 0 = any that is free")] = Settings.port,
    actors: Annotated[int | None, typer.Option(help="Learner actors of a new database; default: 1")] = None,
    runtime: Annotated[RuntimeName, typer.Option(help="ray: processes; local: all in this one")] = "ray",
    timezone: Annotated[
        str, typer.Option(help="Zone of learners whose profile has none, such as Europe/Berlin")
    ] = "UTC",
    campaigns: CampaignFile = None,
    policy: RetentionPolicy = None,
    delivery: Annotated[
        Path | None, typer.Option(help="File that names mail server and gateways; default: inbox and operators alone")
    ] = None,
    rules: Annotated[Path | None, typer.Option(help="Your own rules, overriding the defaults")] = None,
    model: Annotated[
        Path | None, typer.Option(help="Risk model until `engage models` has a champion; default: the packaged one")
    ] = None,
    learn_days: Annotated[
        int, typer.Option(min=0, help="Days between attempts to learn a better model from what is kept; 0 = none")
    ] = 0,
    audit_days: Annotated[
        int, typer.Option(help="Days for which a line of the audit log is kept")
    ] = Settings.audit_days,
    public_metrics: Annotated[bool, typer.Option(help="Let anyone who can reach it read /metrics")] = False,
    trust_proxy: Annotated[
        list[str] | None,
        typer.Option(help="Address or network of a proxy whose X-Forwarded-For is believed; repeatable"),
    ] = None,
) -> None:
    """Serve the API until Ctrl-C or SIGTERM; what is acknowledged is durable, whatever dies."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of each request, with the gateway's whole address
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # it tells of each part it is made of
    product_rules, risk = engine_rules.load(rules), risk_model.load(model)
    calendar.zone(timezone)
    sending = campaigns_of(campaigns, policy)
    channels = read_delivery(delivery)
    settings = Settings(
        host=host,
        port=port,
        audit_days=audit_days,
        public_metrics=public_metrics,
        trusted_proxies=tuple(trust_proxy or ()),
    )
    given = {"--rules": rules, "--model": model}
    trouble = Trouble()
    errors.print("Starting ...")
    with open_app(
        data,
        database_url,
        settings,
        product_rules,
        risk,
        actors=actors,
        runtime=runtime,
        zone=timezone,
        campaigns=sending,
        delivery=channels,
        learn_days=learn_days,
        learn_options=[word for pair in given.items() if pair[1] for word in (pair[0], str(pair[1]))],
        trouble=trouble,
    ) as app:
        serve_app(
            app, settings, trouble, lambda address: console.print(f"Listening on {address} (docs: {address}/docs)")
        )
