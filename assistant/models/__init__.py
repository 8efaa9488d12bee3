"""Models that engines load: which there are (`catalogue`), fetching (`download`, `unpack`) and keeping them (`store`).

catalogue ─► store.pull ─► download (resumed, hashed) ─► unpack (checked paths) ─► renamed into place, manifest
             store.require ─► the folder that an engine loads
"""
