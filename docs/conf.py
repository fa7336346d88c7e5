# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How `make docs` makes a site: Ansible's theme, over what antsibull-docs writes."""

from __future__ import annotations

project = "fleetops.aliyun_iot"
author = "fleetops contributors"
extensions = ["sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
html_copy_source = False
# Every module refers to Ansible's own documentation, which is not here; references within the collection are the linter's.
suppress_warnings = ["ref.ref"]
