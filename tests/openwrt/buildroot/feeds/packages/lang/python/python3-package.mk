# SPDX-License-Identifier: GPL-2.0-or-later
# Stands in for the packages feed's python3-package.mk: packages of bytecode, and those of sources.

ifndef BuildPackage
$(error python3-package.mk belongs behind package.mk)
endif
PYTHON3_VERSION?=3.11
PYTHON3_PKG_DIR:=/usr/lib/python$(PYTHON3_VERSION)/site-packages

define Py3Package
$(if $(value Package/$(1)),,$(error there is no Package/$(1)))
$(eval define Package/$(1)-src
$(value Package/$(1))
  DEPENDS:=
  USERID:=
  TITLE+= (sources)
endef)
$(eval Package/$(1)-src/description=$(1))
endef
