"""What bots decide by: rules, rails, budgets, scores and the checks of a text. No database, no network, no clock."""
