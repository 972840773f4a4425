# SPDX-License-Identifier: MIT
"""Tests of the tools: each shows that its tool can fail."""
