"""Mathematics without protocol: what each primitive computes, never when or why it is used."""
