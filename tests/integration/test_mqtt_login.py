# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter mqtt_login as its documentation prints it: in tasks, and in an exported template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from emulator import Emulator
from mqtt_client import Client, sign
from playbook import PRODUCT_KEY, gateway_play, inventory, run_playbook

from ansible_collections.fleetops.aliyun_iot.plugins.filter.mqtt_login import EXAMPLES

HOST = "gw-0001"
TEMPLATE = "".join(f"{line}\n" for line in re.findall(r"^#   (.*)", EXAMPLES, re.MULTILINE))


pytestmark = pytest.mark.usefixtures("new_platform")


def test_the_tasks_run_as_they_are_printed(tmp_path: Path) -> None:
    tasks = [*yaml.safe_load(EXAMPLES), {"ansible.builtin.debug": {"msg": "{{ simulated.password }}"}}]
    play = {"hosts": "gateways", "gather_facts": False, "tasks": tasks}
    run = run_playbook(play, inventory(1, tmp_path), tmp_path)
    assert run.rc == 0, run
    shown, made, password = [task["result"] for task in run.results[HOST]]
    assert shown["msg"]["host"] == "a1IoKTestP1.iot-as-mqtt.cn-shanghai.aliyuncs.com"
    assert "password" not in shown["msg"]
    assert "censored" in made
    content = f"clientId{PRODUCT_KEY}.{HOST}deviceName{HOST}productKey{PRODUCT_KEY}timestamp2524608000000"
    assert password["msg"].lower() == sign(content, "0123456789abcdef0123456789abcdef", "hmacsha256")


def test_what_the_template_says_is_accepted(platform: Emulator, tmp_path: Path) -> None:
    """The platform accepts the values of the template from an agent that adds the password."""
    platform.admin.put_device(PRODUCT_KEY, HOST)
    (tmp_path / "agent.toml.j2").write_text(TEMPLATE)
    play = gateway_play(platform, exports=[{"dest": "{{ root }}/agent.toml", "template": "agent.toml.j2"}])
    run = run_playbook(play, inventory(1, tmp_path), tmp_path)
    assert run.rc == 0, run
    said = dict(re.findall(r'^(\w+) = "(.*)"$', (tmp_path / HOST / "agent.toml").read_text(), re.MULTILINE))
    assert said["url"] == f"mqtts://{PRODUCT_KEY}.iot-as-mqtt.cn-shanghai.aliyuncs.com:8883"
    secret = platform.admin.device(PRODUCT_KEY, HOST)["device_secret"]
    assert said["device_secret"] == secret
    password = sign(
        f"clientId{PRODUCT_KEY}.{HOST}deviceName{HOST}productKey{PRODUCT_KEY}timestamp2524608000000",
        secret,
        "hmacsha256",
    )
    with Client(platform.endpoints, said["client_id"], said["user_name"], password) as agent:
        assert agent.connack == 0


def test_a_template_that_signs_is_refused(platform: Emulator, tmp_path: Path) -> None:
    """A template that signs is refused: it would sign with a placeholder, and the platform would never accept the password."""
    signing = (
        "{{ (product_key | fleetops.aliyun_iot.mqtt_login(device_name, device_secret, 'cn-shanghai')).password }}\n"
    )
    (tmp_path / "agent.toml.j2").write_text(signing)
    play = gateway_play(platform, exports=[{"dest": "{{ root }}/agent.toml", "template": "agent.toml.j2"}])
    run = run_playbook(play, inventory(1, tmp_path), tmp_path)
    told = run.result(HOST)["error"]
    assert (told["kind"], "changes device_secret" in told["message"]) == ("invalid_option", True), run
    assert platform.admin.requests() == []
