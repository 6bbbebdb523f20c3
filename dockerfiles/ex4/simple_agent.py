"""Ask a language model one fixed question and print its answer.

The client reads OPENAI_API_KEY and, for another endpoint than OpenAI's own,
OPENAI_BASE_URL from the environment: neither belongs in the image.
"""

from openai import OpenAI

QUESTION = "What is the capital of France?"


def main() -> None:
    completion = OpenAI().chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": QUESTION}],
    )
    print(completion.choices[0].message.content)


if __name__ == "__main__":
    main()
