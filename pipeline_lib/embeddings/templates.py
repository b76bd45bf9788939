"""The 53 captions of which a frame gets one (ViPER 3.3).

Seven are printed in the paper's Table 1 and stand first in their class; the others are ours, in
the numbers that the paper's classes have.
"""

CAPTIONS: dict[str, tuple[str, ...]] = {
    "adoration": (
        "This face is feeling adoration",
        "A look of adoration lies on this face",
        "This person gazes with love and tenderness",
        "The eyes on this face are full of affection",
        "This is the warm smile of somebody who adores what they see",
        "This face has melted at something sweet",
        "Fondness softens the features of this face",
    ),
    "amusement": (
        "It looks like this face is amused",
        "This face is laughing out loud",
        "This person finds something very funny",
        "Amusement lights up this face",
        "A broad grin stretches across this face",
        "This face is trying not to laugh",
        "The face in this picture is having fun",
        "This person is giggling at a joke",
        "Cheerful laughter shows on this face",
    ),
    "anxiety": (
        "Anxiety is visible on this face",
        "This face looks worried",
        "This person is tense and uneasy",
        "The face in this picture is nervous",
        "An anxious frown lies on this brow",
        "This face is waiting for something bad to happen",
        "Unease tightens the lips of this face",
    ),
    "disgust": (
        "The expression on this face is disgusted",
        "This face wrinkles its nose in disgust",
        "This person is looking at something revolting",
        "Disgust curls the lip of this face",
        "The face in this picture is repelled",
        "This face looks as if something smelled foul",
    ),
    "empathic pain": (
        "This face is experiencing Empathic Pain",
        "This face suffers with somebody else",
        "This person winces at another's injury",
        "The pain of others shows on this face",
        "This face is full of pity and hurt",
        "The face in this picture feels for somebody in pain",
    ),
    "fear": (
        "Fear is apparent on this face",
        "This face is frightened",
        "This person is scared of what they see",
        "Terror widens the eyes of this face",
        "The face in this picture is afraid",
        "This face shrinks back in fright",
    ),
    "surprise": (
        "The face on this picture is feeling surprised",
        "This face did not expect what it sees",
        "This person is astonished",
        "Surprise lifts the eyebrows of this face",
        "The jaw of this face has dropped in amazement",
        "This face is startled",
    ),
    "neutral": (
        "This face shows no emotion",
        "The expression on this face is neutral",
        "This person is calm and watches quietly",
        "The face in this picture is relaxed",
        "Nothing moves on this face",
        "This face looks blankly ahead",
    ),
}

SENTENCES = tuple(sentence for captions in CAPTIONS.values() for sentence in captions)


def first_of(emotion: str) -> int:
    """The place of a class's first caption in SENTENCES."""
    return SENTENCES.index(CAPTIONS[emotion][0])
