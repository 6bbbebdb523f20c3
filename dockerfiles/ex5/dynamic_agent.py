"""Ask a language model the question in QUESTION; print the question and the answer."""

import os

from openai import OpenAI


def main() -> None:
    question = os.environ.get("QUESTION") or "What is the capital of France?"
    completion = OpenAI().chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": question}],
    )
    print(f"Question: {question}")
    print(f"Answer: {completion.choices[0].message.content}")


if __name__ == "__main__":
    main()
