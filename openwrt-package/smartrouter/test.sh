#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the CI of OpenWrt's packages runs behind an installation: $1 the package, $2 its version.

case "$1" in
	smartrouter)
		smartrouter --version | grep -F "$2" || exit 1
		smartrouter --help >/dev/null || exit 1
		python3 -c 'import smartrouter.guard.daemon, smartrouter.supervisor.daemon' || exit 1
		nft --check --file - <<-EOF || exit 1
		$(python3 -c 'from smartrouter.linux.ruleset import Plan, render; print(render(Plan(("br-lan",)), False))')
		EOF
		;;
	smartrouter-analyzer)
		python3 -c 'import smartrouter.analyzer.daemon' || exit 1
		echo '{"mac": "3c:2e:ff:29:4d:93", "hostname": "tv"}' | smartrouter classify || exit 1
		;;
	smartrouter-notify)
		python3 -c 'import smartrouter.notify.slack, smartrouter.notify.email, smartrouter.notify.webhook' || exit 1
		;;
	smartrouter-web)
		python3 -c 'import smartrouter.web' || exit 1
		;;
	smartrouter-tools)
		smartrouter replay --help >/dev/null || exit 1
		python3 -c 'import smartrouter.lab.demo' || exit 1
		;;
esac
exit 0
