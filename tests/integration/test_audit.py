# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An audit of a fleet: it finds every kind of drift and nothing else, and changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from account import KEY
from emulator import Emulator
from gateways import credential_text, end_lease
from operations import (
    ENV,
    PLATFORM,
    account,
    credential_file,
    in_service,
    operate,
    results,
    role_variables,
    typed,
    valid_fingerprint,
    valid_text,
)
from playbook import PRODUCT_KEY, PRODUCT_SECRET, Run, inventory, names, run_line, run_playbook
from shells import write_script

from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_findings import audit_findings

JSON = Any

OTHER_PRODUCT = "a1IoKTestP2"
UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
# The drift of each gateway; the audit must find exactly this.
DRIFT = {
    "gw-0001": "missing",
    "gw-0002": "unreadable",
    "gw-0003": "attributes",
    "gw-0004": "export",
    "gw-0005": "fingerprint_differs",
    "gw-0006": "not_on_platform",
    "gw-0007": "disabled",
    "gw-0008": "duplicate",
    "gw-0010": "identity_changed",
    "gw-0011": "interrupted",
    "gw-0020": "unreachable",
    "gw-0042": "no_gateway",
}


pytestmark = pytest.mark.usefixtures("new_platform")


def drifted_fleet(platform: Emulator, tmp_path: Path) -> JSON:
    """Prepare twenty gateways in service, one of another product, then one drift of each kind; return the inventory."""
    admin = platform.admin
    admin.put_product(OTHER_PRODUCT, product_secret="Zp4Xw8sD2kTest02")
    admin.delete_device(PRODUCT_KEY, "gw-0012")
    for host in names(20):
        in_service(platform, tmp_path, host, OTHER_PRODUCT if host == "gw-0012" else PRODUCT_KEY)

    def file(host: str) -> Path:
        return credential_file(tmp_path, host)

    file("gw-0001").unlink()
    file("gw-0002").write_text("{")
    file("gw-0003").chmod(0o640)
    admin.patch_device(PRODUCT_KEY, "gw-0005", device_secret="0123456789abcdef0123456789abcdef")
    admin.delete_device(PRODUCT_KEY, "gw-0006")
    admin.patch_device(PRODUCT_KEY, "gw-0007", status="DISABLE")
    file("gw-0008").write_text(valid_text(platform, "gw-0009"))
    file("gw-0010").write_text(credential_text(PRODUCT_KEY, "gw-0099", "0123456789abcdef0123456789abcdef"))
    (tmp_path / "gw-0011/.device.json.journal").write_text("1 token=0123456789abcdef intent=reset ttl=0\n")
    admin.put_device(PRODUCT_KEY, "gw-0042")
    admin.clear_requests()
    own = {
        "gw-0004": {"gateway_exports": [{"dest": "{{ root }}/agent.env", "format": "env"}]},
        "gw-0012": {"gateway_product_key": OTHER_PRODUCT},
        "gw-0020": UNREACHABLE,
    }
    variables = {**role_variables(platform), "gateway_service": "agent"}
    return inventory({host: {**variables, **own.get(host, {})} for host in names(20)}, tmp_path)


def everything(tmp_path: Path) -> dict[Path, tuple[int, int, bytes]]:
    """Return the mode, the modification time and the content of each file of the gateways."""
    files = [path for host in names(20) for path in (tmp_path / host).rglob("*")]
    return {path: (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def restarts(run: Run) -> list[str]:
    return [host for host, told in run.results.items() if any(each["handler"] for each in told)]


def test_every_drift_is_found_and_nothing_else(platform: Emulator, tmp_path: Path) -> None:
    hosts = drifted_fleet(platform, tmp_path)
    before, report = everything(tmp_path), tmp_path / "audit.json"
    run = operate("audit", platform, hosts, tmp_path, audit_report=str(report))
    assert run.rc == 0, run
    findings = json.loads(report.read_text())
    found = {each["gateway"] or each["device_name"]: each["finding"] for each in findings if each["finding"] != "ok"}
    assert found == DRIFT
    assert [each["gateway"] for each in findings] == [*names(20), None]
    by_gateway = {each["gateway"]: each for each in findings}
    assert "gw-0009" in by_gateway["gw-0008"]["detail"]
    assert by_gateway["gw-0012"]["product_key"] == OTHER_PRODUCT
    assert by_gateway["gw-0020"]["status"] == "OFFLINE", "what the platform knows of it is known"
    assert by_gateway["gw-0013"]["fingerprint"] == valid_fingerprint(platform, "gw-0013")
    for host, finding in DRIFT.items():
        assert f"{host} " in run.stdout, host
        assert f" {finding} " in run.stdout, finding
    assert "9 of 21 as they should be" in run.stdout

    # An audit reports defects of a gateway as findings: no gateway fails, and no message demands a registration.
    assert "FAILED" not in run.stdout
    assert "if_needed" not in run.stdout

    assert run.changed == 0, run
    assert restarts(run) == []
    assert everything(tmp_path) == before
    assert {entry["action"] for entry in platform.admin.requests()} <= {"QueryDevice", "BatchQueryDeviceDetail"}

    # The report is readable by the operator alone and contains no secret.
    assert report.stat().st_mode & 0o777 == 0o600
    secrets = [device["device_secret"] for device in platform.admin.devices(PRODUCT_KEY)]
    told = report.read_text() + run.stdout + run.stderr + json.dumps(run.results)
    for secret in (*secrets, KEY.secret, PRODUCT_SECRET):
        assert secret not in told

    failed = operate("audit", platform, hosts, tmp_path, "--check", audit_fail=True)
    assert failed.rc == 2, failed
    assert "12 findings" in failed.stdout
    assert everything(tmp_path) == before


def commands(run: Run) -> list[str]:
    """Return the commands of an audit's findings, which must be on the screen."""
    told = [each for host in run.results.values() for each in host if each["task"] == "Show the findings"]
    [table] = [each["result"]["msg"] for each in told]
    shown = [line for line in table if ": ansible" in line]
    assert all(line in run.stdout for line in shown)
    return [line.partition(": ")[2] for line in shown]


def test_whoever_types_the_commands_has_a_fleet_that_is_right(platform: Emulator, tmp_path: Path) -> None:
    hosts = drifted_fleet(platform, tmp_path)
    end_lease(tmp_path / "gw-0011/.device.json.journal")
    # A deleted or disabled device takes precedence over a missing credential.
    for host in ("gw-0013", "gw-0014", "gw-0015"):
        credential_file(tmp_path, host).unlink()
    platform.admin.delete_device(PRODUCT_KEY, "gw-0013")
    platform.admin.patch_device(PRODUCT_KEY, "gw-0014", status="DISABLE")
    platform.admin.delete_device(PRODUCT_KEY, "gw-0015")
    platform.admin.put_device(PRODUCT_KEY, "gw-0015")
    for host in hosts["gateways"]["hosts"].values():
        host.pop("gateway_service", None)
    (tmp_path / "account.yml").write_text(json.dumps(account(platform)))
    said = ("-e", "@account.yml", "-e", "audit_report=audit.json")
    found = []
    for _round in range(3):
        run = run_playbook("fleetops.aliyun_iot.audit", hosts, tmp_path, *said, env=ENV)
        assert run.rc == 0, run
        # A relative path is relative to the folder where the playbook was started.
        findings = json.loads((tmp_path / "audit.json").read_text())
        found.append({each["gateway"]: each["finding"] for each in findings if each["command"]})
        for command in commands(run):
            if command.startswith("ansible-playbook "):
                done = run_line(command, tmp_path, ENV)
                assert done.rc == 0, f"{command}\n{done}"
            else:
                ended = typed(command, tmp_path)
                assert ended.returncode == 0, f"{command}\n{ended}"
    assert found[0] == {
        **{host: finding for host, finding in DRIFT.items() if finding not in ("unreachable", "no_gateway")},
        **{"gw-0013": "not_on_platform", "gw-0014": "disabled", "gw-0015": "missing"},
    }
    assert found[1:] == [{"gw-0014": "missing"}, {}]
    assert {each["finding"] for each in findings} == {"ok", "unreachable", "no_gateway"}


def test_a_part_of_the_fleet(platform: Emulator, tmp_path: Path) -> None:
    """The devices of gateways outside a limit are not reported as devices without a gateway."""
    for host in names(6):
        in_service(platform, tmp_path, host)
    for name in names(20)[6:]:
        platform.admin.delete_device(PRODUCT_KEY, name)
    platform.admin.put_device(PRODUCT_KEY, "gw-0042")
    hosts = inventory(6, tmp_path, **role_variables(platform))
    report = tmp_path / "audit.json"
    parts: list[tuple[list[str], JSON]] = [(["--limit", "gw-0002"], {}), ([], {"target": "gw-0002"})]
    for arguments, extra in parts:
        run = operate("audit", platform, hosts, tmp_path, *arguments, audit_report=str(report), **extra)
        assert run.rc == 0, run
        found = {each["gateway"] or each["device_name"]: each["finding"] for each in json.loads(report.read_text())}
        assert found == {"gw-0002": "ok", "gw-0042": "no_gateway"}


def test_a_fleet_that_is_right_does_not_fail(platform: Emulator, tmp_path: Path) -> None:
    for host in names(20):
        in_service(platform, tmp_path, host)
    hosts = inventory(20, tmp_path, **role_variables(platform))
    run = operate("audit", platform, hosts, tmp_path, audit_fail=True)
    assert (run.rc, run.changed) == (0, 0), run
    assert "20 of 20 as they should be" in run.stdout


def test_gateways_that_are_to_have_no_credential(platform: Emulator, tmp_path: Path) -> None:
    """A credential on a gateway with state absent is a finding, which provision repairs; no credential there is no finding."""
    own: JSON = {"gw-0001": {"gateway_state": "absent"}, "gw-0002": {"gateway_state": "absent"}, "gw-0003": {}}
    for host in own:
        in_service(platform, tmp_path, host)
    credential_file(tmp_path, "gw-0002").unlink()
    report = tmp_path / "audit.json"
    hosts = inventory(own, tmp_path, **role_variables(platform))

    def found() -> dict[str, str]:
        run = operate("audit", platform, hosts, tmp_path, audit_report=str(report))
        assert run.rc == 0, run
        return {each["gateway"]: each["finding"] for each in json.loads(report.read_text()) if each["gateway"]}

    assert found() == {"gw-0001": "exists", "gw-0002": "ok", "gw-0003": "ok"}
    [by_gateway] = [each for each in json.loads(report.read_text()) if each["gateway"] == "gw-0001"]
    assert " fleetops.aliyun_iot.provision " in by_gateway["command"]
    assert operate("provision", platform, hosts, tmp_path).rc == 0
    assert found() == dict.fromkeys(own, "ok")


def test_a_note_for_a_service_that_has_left_the_inventory(platform: Emulator, tmp_path: Path) -> None:
    """A note of a due restart is a finding only if provision would finish it."""
    hosts = inventory(1, tmp_path, **role_variables(platform))
    in_service(platform, tmp_path, "gw-0001")
    (tmp_path / "gw-0001" / ".device.json.due").write_text("0123456789abcdef\n")
    report = tmp_path / "audit.json"
    for service, finding, reason in (("agent", "unfinished", "unfinished"), ("", "ok", "up_to_date")):
        hosts["gateways"]["vars"]["gateway_service"] = service
        assert operate("audit", platform, hosts, tmp_path, audit_report=str(report)).rc == 0
        assert [each["finding"] for each in json.loads(report.read_text()) if each["gateway"]] == [finding]
        run = operate("provision", platform, hosts, tmp_path, "--check")
        assert results(run, "gw-0001")[0]["reason"] == reason, run


def test_a_wrong_option_of_one_host_is_its_own_finding(platform: Emulator, tmp_path: Path) -> None:
    in_service(platform, tmp_path, "gw-0001")
    own: JSON = {"gw-0001": {}, "gw-0002": {"gateway_retry_time": 7200}, "gw-0003": {"gateway_timeout": 0}}
    report = tmp_path / "audit.json"
    hosts = inventory(own, tmp_path, **role_variables(platform))
    run = operate("audit", platform, hosts, tmp_path, audit_report=str(report))
    assert run.rc == 0, run
    found = {each["gateway"]: each["finding"] for each in json.loads(report.read_text()) if each["gateway"]}
    assert found == {"gw-0001": "ok", "gw-0002": "failed", "gw-0003": "failed"}


def test_devices_that_cannot_be_listed_are_no_finding(platform: Emulator, tmp_path: Path) -> None:
    """If a wrong option prevents the query, no gateway is reported as not_on_platform."""
    in_service(platform, tmp_path, "gw-0001")
    hosts = inventory(1, tmp_path, **role_variables(platform))
    run = operate("audit", platform, hosts, tmp_path, platform_qps_share=2)
    assert run.rc == 2, run
    assert "not_on_platform" not in run.stdout
    assert "platform_qps_share: 2.0 is out of range" in run.stdout
    assert "Without the account of gw-0001" in run.stdout


def test_a_platform_that_does_not_answer_is_no_finding(platform: Emulator, tmp_path: Path) -> None:
    in_service(platform, tmp_path, "gw-0001")
    hosts = inventory(1, tmp_path, **role_variables(platform))
    platform.admin.fault("QueryDevice", code="Forbidden.RAM", times="forever")
    run = operate("audit", platform, hosts, tmp_path)
    assert run.rc == 2, run
    assert "Forbidden.RAM" in run.stdout
    assert "as they should be" not in run.stdout


def test_without_an_account_nothing_is_inspected(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(1, tmp_path, **role_variables(platform))
    shell = write_script(tmp_path / "sh", f'touch {tmp_path}/asked; exec /bin/sh "$@"')
    hosts["gateways"]["vars"].update(ansible_shell_executable=str(shell), gateway_region="cn-shanghai")
    run = run_playbook("fleetops.aliyun_iot.audit", hosts, tmp_path, env=ENV)
    assert run.rc == 2, run
    assert run.result("gw-0001")["error"]["kind"] == "credential"
    assert not (tmp_path / "asked").exists()


def test_thousands_of_devices(tmp_path: Path) -> None:
    """An audit compares four thousand gateways with their devices, which are read with at most 160 calls."""
    many = names(4_000)
    product = {"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET, "devices": many}
    known = {"product_key": PRODUCT_KEY}
    with Emulator(tmp_path / "platform", {**PLATFORM, "products": [product]}) as platform:
        options = {name.removeprefix("platform_"): value for name, value in account(platform).items()}
        task = {"name": "Ask", "fleetops.aliyun_iot.devices_info": {**known, **options}}
        run = run_playbook({"hosts": "localhost", "gather_facts": False, "tasks": [task]}, {}, tmp_path)
        assert run.rc == 0, run
        assert len(platform.admin.requests()) <= 160
    devices = run.result("localhost")
    looks = {
        each["device_name"]: {
            **known,
            "device_name": each["device_name"],
            "reason": "up_to_date",
            "fingerprint": each["fingerprint"],
            "credential": {**known, "device_name": each["device_name"]},
        }
        for each in devices["devices"]
    }
    assert looks.keys() == set(many)
    assert Counter(each["finding"] for each in audit_findings(looks, [devices])) == {"ok": 4_000}


def with_authorities(tmp_path: Path, host: str, *lines: str) -> JSON:
    """Return the variables of a gateway whose system has these lines in its CA bundle."""
    folder = tmp_path / f"{host}-system"
    (folder / "certs").mkdir(parents=True)
    (folder / "bundle.pem").write_text("".join(f"{line}\n" for line in lines))
    system = f"export SSL_CERT_FILE={folder}/bundle.pem SSL_CERT_DIR={folder}/certs"
    return {"ansible_shell_executable": str(write_script(folder / "sh", f'{system}\nexec /bin/sh "$@"'))}


# One line of the PEM of GlobalSign Root CA.
GLOBALSIGN = "jc6j40+Kfvvxi4Mla+pIH/EqsLmVEQS98GPR4mdmzxzdzxtIK+6NiY6arymAZavp"


def test_gateways_that_lack_the_root_of_their_login_are_named(platform: Emulator, tmp_path: Path) -> None:
    """A missing root certificate is a warning and not a finding, because the agent may have the root itself."""
    own = {"gateway_mqtt_port": 8883, "gateway_mqtt_ca_path": f"{tmp_path}/own.pem"}
    hosts = {
        "gw-0001": with_authorities(tmp_path, "gw-0001", "another"),
        "gw-0002": with_authorities(tmp_path, "gw-0002", "another", GLOBALSIGN),
        "gw-0003": {**with_authorities(tmp_path, "gw-0003", "another"), **own},
        "gw-0004": {**with_authorities(tmp_path, "gw-0004", "another"), "gateway_mqtt_endpoint": "127.0.0.1"},
        "gw-0005": with_authorities(tmp_path, "gw-0005", "another"),
    }
    for host in hosts:
        in_service(platform, tmp_path, host)
    known = {name: value for name, value in role_variables(platform).items() if "product" in name}
    fleet = inventory(hosts, tmp_path, **known, gateway_region="cn-shanghai")
    audit = operate("audit", platform, fleet, tmp_path, "--limit", ",".join(hosts), audit_fail=True)
    # The return code is not checked: other tests check the findings, which here are the devices without a gateway.
    told = " ".join(audit.stderr.split())
    assert "2 gateways may not be able to log in, because the root certificate GlobalSign Root CA is not" in told, audit
    assert "gw-0001, gw-0005. According to the vendor's documents, the certificate of MQTT at port 443" in told
    assert "valid until 2028-01-28" in told
    assert f"1 gateway cannot read {tmp_path}/own.pem" in told
    assert "gw-0003. According to" in told
    assert "valid until 2053-07-04" in told
    assert not [host for host in ("gw-0002", "gw-0004") if f"{host}." in told or f"{host}," in told]
    fleet_run = next(each["result"] for each in audit.results["gw-0001"] if "gateways" in each["result"])
    roots = {host: result.get("mqtt_root") for host, result in fleet_run["gateways"].items()}
    globalsign = {"name": "GlobalSign Root CA", "ends": "2028-01-28", "port": 443, "path": None}
    assert roots == {
        "gw-0001": {**globalsign, "found": False},
        "gw-0002": {**globalsign, "found": True},
        "gw-0003": {
            "name": "the platform's own CA",
            "ends": "2053-07-04",
            "port": 8883,
            "path": f"{tmp_path}/own.pem",
            "found": False,
        },
        "gw-0004": None,
        "gw-0005": {**globalsign, "found": False},
    }
    findings = [line for line in audit.stdout.splitlines() if "gw-0001" in line and "root" in line]
    assert findings == []


@pytest.mark.parametrize("check", [True, False])
def test_a_task_asks_for_the_root_in_check_mode_alone(platform: Emulator, tmp_path: Path, check: bool) -> None:
    """Only check mode looks for the root, so that a run over a valid gateway costs no more than before."""
    in_service(platform, tmp_path, "gw-0001")
    own = with_authorities(tmp_path, "gw-0001", "another")
    options = {"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET, "region": "cn-shanghai"}
    task = {"fleetops.aliyun_iot.gateway_credential": {**options, "path": "{{ root }}/device.json"}}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [task]}
    run = run_playbook(play, inventory({"gw-0001": own}, tmp_path), tmp_path, check=check)
    assert (run.rc, run.changed) == (0, 0), run
    assert ("mqtt_root" in run.result("gw-0001")) is check
    assert ("GlobalSign Root CA" in run.stderr) is check
