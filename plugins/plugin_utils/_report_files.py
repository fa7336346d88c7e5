# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a report, and the JSON and CSV beside it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_file import checked_destination, write_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_gate import earlier_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import Report, as_csv, as_json, as_page


class ReportFiles(t.NamedTuple):
    """The three files, each checked by :func:`checked_destination`."""

    page: Path
    kept: Path
    table: Path

    @classmethod
    def at(cls, dest: str) -> ReportFiles:
        """Return the files of a page.

        :raises InvalidOption: ``dest`` does not end in .html, or something is in the way
        """
        if not dest.endswith(".html"):
            raise InvalidOption("dest", dest, "does not end in .html", "Name the page; JSON and CSV are beside it")
        page = checked_destination(dest)
        kept, table = (checked_destination(str(page.with_suffix(suffix))) for suffix in (".json", ".csv"))
        return cls(page, kept, table)

    def earlier(self) -> Report | None:
        """Return the report that is there, None where there is none."""
        try:
            return earlier_report(self.kept.read_text(encoding="utf-8"))
        except (OSError, UnicodeError):
            return None

    def write(self, report: Report) -> None:
        """Write the three files.

        :raises StorageError: one cannot be written
        """
        write_report(self.table, as_csv(report))
        write_report(self.page, as_page(report))
        write_report(self.kept, as_json(report))
