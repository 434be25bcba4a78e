class PointAccess: pass
