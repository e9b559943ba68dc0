"""A language model as an analyzer: any server that speaks the OpenAI protocol (MODEL)."""
