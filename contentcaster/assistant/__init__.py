"""The writing assistant: tasks in our words, a model behind a small interface, and checks of what it says.

`model` is the interface, `gemini` and `offline` speak it; `tasks` writes prompts, `checks` judges answers by code.
"""
