"""What a provider's refusal means: any answer that is an error becomes one typed error."""
