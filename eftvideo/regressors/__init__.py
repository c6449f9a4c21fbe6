"""regressors"""
