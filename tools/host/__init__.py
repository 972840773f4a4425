# SPDX-License-Identifier: MIT
"""What the programs of tools/ share; standard library only."""
