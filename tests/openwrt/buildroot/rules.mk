# SPDX-License-Identifier: GPL-2.0-or-later
# Stands in for OpenWrt's rules.mk: the names that recipes use, and nothing of a cross compiler.

INCLUDE_DIR:=$(TOPDIR)/include
BUILD_DIR:=$(WORK)/build
BUILD_DIR_HOST:=$(WORK)/host
STAGING_DIR:=$(WORK)/staging
PKG_BUILD_DIR=$(BUILD_DIR)/$(PKG_NAME)-$(PKG_VERSION)
PKG_INSTALL_DIR=$(PKG_BUILD_DIR)/ipkg-install
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_DATA:=install -m0644
INSTALL_CONF:=install -m0600
CP:=cp -fpR
FIND:=find
