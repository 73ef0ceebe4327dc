"""Pruning methods that work while a model trains; `bcr.pruning.registry` names them."""
