# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a report, and the JSON and CSV beside it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_file import checked_page, write_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_gate import earlier_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import Report, as_csv, as_json, as_page


class ReportFiles(t.NamedTuple):
    """The three files, each checked by :func:`checked_page`."""

    page: Path
    kept: Path
    table: Path

    @classmethod
    def at(cls, dest: str) -> ReportFiles:
        """Return the files of a page.

        :raises InvalidOption: ``dest`` does not end in .html, or a file that may not be replaced exists there
        """
        return cls(*checked_page(dest))

    def earlier(self) -> Report | None:
        """Return the existing report; None if there is no valid one."""
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
