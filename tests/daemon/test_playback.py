"""The part that speaks, with a voice that breaks: the next reply is said by a new thread."""

from __future__ import annotations

import asyncio
from pathlib import Path

from assistant.cli.mouth import Mouth
from assistant.config import Config, Speak
from assistant.daemon.playback import Playback
from tests.sound_server import until


def test_an_error_ends_one_reply_and_the_next_is_spoken(tmp_path: Path) -> None:
    out = tmp_path / "replies"
    out.write_text("a file stands where the folder should be")
    mouth = Mouth(Config(speak=Speak(voice="espeak", output=str(out))))
    playback = Playback(mouth)

    async def scenario() -> None:
        await playback.start()
        mouth.announce("This one is lost.", ring=False)  # FileExistsError, which nobody expects
        await asyncio.wait_for(playback.wait(), 30)
        out.unlink()
        await playback.start()
        mouth.announce("This one is heard.", ring=False)
        await asyncio.get_running_loop().run_in_executor(
            None, until, lambda: out.is_dir() and any(out.iterdir()), "it is spoken"
        )
        assert mouth.alive
        assert playback.status() == f"{mouth._voice().voice.name}, on {out}"

    asyncio.run(scenario())
    mouth.close()
    assert not mouth.alive


def test_who_is_silent_says_so() -> None:
    mouth = Mouth(Config(speak=Speak(voice="none")))
    assert Playback(mouth).status() == "silent, as configured"
    mouth.close()
