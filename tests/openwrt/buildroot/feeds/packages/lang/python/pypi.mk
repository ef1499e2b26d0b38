# SPDX-License-Identifier: GPL-2.0-or-later
# Stands in for the packages feed's pypi.mk.

ifdef BuildPackage
$(error pypi.mk belongs before package.mk)
endif
ifndef PYPI_NAME
$(error PYPI_NAME is not set)
endif
PYPI_SOURCE_NAME?=$(PYPI_NAME)
PKG_SOURCE:=$(PYPI_SOURCE_NAME)-$(PKG_VERSION).tar.gz
PKG_SOURCE_URL:=pypi:$(PYPI_NAME)
