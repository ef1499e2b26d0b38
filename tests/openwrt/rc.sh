#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Stands in for /etc/rc.common: the functions that an init script under procd calls, each of which writes what it was
# asked into $SAID; configuration by way of $UCI, a program that prints an option.
# shellcheck disable=SC3043  # `local`, which ash has
# $1: the init script; $2: what to do; the rest: its arguments.

script=$1
action=$2
shift 2

said() { echo "$*" >> "$SAID"; }

config_load() { :; }
config_get() {
	local _found
	_found=$("$UCI" "$2" "$3")
	eval "$1=\${_found:-\$4}"
}
config_get_bool() {
	local _value
	config_get _value "$2" "$3" "$4"
	case "$_value" in
		1 | on | true | yes | enabled) eval "$1=1" ;;
		*) eval "$1=0" ;;
	esac
}
logger() { said logger "$@"; }

for name in open_instance close_instance set_param add_jail add_jail_mount add_jail_mount_rw add_reload_trigger \
	send_signal; do
	eval "procd_$name() { said $name \"\$@\"; }"
done

extra_command() { EXTRA_COMMANDS="$EXTRA_COMMANDS $1"; }

boot() { start "$@"; }
start() {
	said service
	start_service "$@"
	service_triggers
	said set
}
restart() { said restarted; }
stop() {
	stop_service "$@"
	said delete
	service_stopped
	said stopped
}
reload() { reload_service "$@"; }

. "$script"

case " boot start stop restart reload $EXTRA_COMMANDS " in
	*" $action "*) "$action" "$@" ;;
	*) echo "no such command: $action" >&2; exit 1 ;;
esac
