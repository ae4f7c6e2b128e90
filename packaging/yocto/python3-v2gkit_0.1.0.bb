# A charging station controller from the source distribution: put this folder into a layer (recipes-v2g/v2gkit), then
#   IMAGE_INSTALL:append = " python3-v2gkit"
SUMMARY = "ISO 15118-20 for chargers and cars"
DESCRIPTION = "ISO 15118-20 for chargers and cars: SECC, EV simulator, EXI codec, PKI, bidirectional schedules, OCPP 2.1 bridge"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"

PYPI_PACKAGE = "v2gkit"

inherit pypi python_setuptools_build_meta systemd

# A source distribution of your own: put it beside this recipe, and SRC_URI = "file://v2gkit-${PV}.tar.gz". One from the index wants its
# checksum, which is known once it is released: SRC_URI[sha256sum] in a .bbappend.

require v2gkit-dependencies.inc

SYSTEMD_SERVICE:${PN} = "v2gkit-secc.service"
# The station wants its configuration and its certificates before it can start: `systemctl enable --now v2gkit-secc` once they are there.
SYSTEMD_AUTO_ENABLE = "disable"

do_install:append() {
    install -D -m 0644 ${S}/packaging/v2gkit-secc.service ${D}${systemd_system_unitdir}/v2gkit-secc.service
    install -d -m 0750 ${D}${sysconfdir}/v2gkit
}

FILES:${PN} += "${systemd_system_unitdir}/v2gkit-secc.service ${sysconfdir}/v2gkit"
