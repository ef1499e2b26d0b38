# SPDX-License-Identifier: GPL-2.0-or-later
"""What is handed out, and what it is made of: `make dist`, `make lock`, `make sbom`, `make audit`."""
