"""The last room: a reply becomes words (`replies`, `questions`), words become sound (`speech` over a `voice`).

Understanding ─► replies ─► text ─► speech ─┬─ phrases (cache) ─► int16 chunks ─► loudspeaker
                                            └─ a voice: hibari · espeak · none
"""
