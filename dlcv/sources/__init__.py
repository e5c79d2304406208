"""The data sources (sample, course, folder, public) and the stages that prepare data sets from them."""
