# SPDX-License-Identifier: GPL-2.0-or-later
# Stands in for OpenWrt's package.mk: `make scan` prints what a recipe says of its packages, `make compile` and
# `make install-PACKAGE INTO=DIR` do what it says, `make script NAME=PACKAGE/postinst` prints what a router runs.

ifndef PKG_NAME
$(error PKG_NAME is not set)
endif
ifndef PKG_VERSION
$(error PKG_VERSION is not set)
endif

comma:=,
FIELDS:=TITLE SECTION CATEGORY SUBMENU DEPENDS URL PKGARCH USERID
PACKAGES:=

define BuildPackage
$(foreach field,$(FIELDS),$(eval $(field):=))
$(if $(value Package/$(1)),,$(error there is no Package/$(1)))
$(eval $(Package/$(1)))
$(foreach field,TITLE SECTION CATEGORY,$(if $($(field)),,$(error $(1) has no $(field))))
$(eval PACKAGES+=$(1))
$(if $(SCAN),$(info Package: $(1))\
$(foreach field,$(FIELDS),$(info $(field): $($(field))))\
$(foreach field,PKG_VERSION PKG_LICENSE PKG_MAINTAINER PKG_SOURCE PKG_SOURCE_URL PKG_HASH PKG_BUILD_DEPENDS PYTHON3_PKG_WHEEL_NAME,$(info $(field): $($(field))))\
$(info Description: $(if $(value Package/$(1)/description),yes,no))\
$(info Conffiles: $(strip $(Package/$(1)/conffiles))))
endef

.DEFAULT_GOAL:=scan
scan:
	@:

compile:
	$(Build/Prepare)
	$(Build/Compile)

install-%:
	$(call Py3Package/$*/install,$(INTO))

export SCRIPT=$(Package/$(NAME))
script:
	@printf '%s\n' "$$SCRIPT"
