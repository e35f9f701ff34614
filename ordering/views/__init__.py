"""Pages on which a root looks after plans and contracts."""
