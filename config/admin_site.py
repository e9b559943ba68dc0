from unfold.sites import UnfoldAdminSite


class TallystickAdminSite(UnfoldAdminSite):
    site_header = "Tallystick"
