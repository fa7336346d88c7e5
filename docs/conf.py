# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sphinx configuration of `make docs`: the output of antsibull-docs with Ansible's theme."""

from __future__ import annotations

project = "fleetops.aliyun_iot"
author = "fleetops contributors"
extensions = ["sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
html_copy_source = False
# Every module refers to Ansible's own documentation, which is not part of this website. The linter checks references within the collection.
suppress_warnings = ["ref.ref"]
